"""The same work run more than once (`--runs N`): what differs between the runs, and where first."""
