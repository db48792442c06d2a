"""From what is installed to what is locked: index look-ups, wheels of local installs, the runner's own packages."""
