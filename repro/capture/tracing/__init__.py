"""What a capture observes beyond the runner's own trace; nothing of this goes into an image."""
