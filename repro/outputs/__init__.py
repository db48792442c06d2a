"""What runs write and show, compared side by side: files by content, cells without what differs in every run."""
