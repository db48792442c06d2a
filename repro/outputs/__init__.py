"""What cells and scripts show: outputs without what differs in every run, and where two runs first differ."""
