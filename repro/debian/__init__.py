"""Debian packages without dpkg: indexes, dependency closures, .deb files, and the layer that dpkg would have left."""
