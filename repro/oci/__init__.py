"""OCI images as files and bytes: layers, documents, layouts. Nothing here talks to an engine or a registry."""
