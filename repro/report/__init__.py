"""Results → what people and machines read. Nothing here decides anything, prints, or exits."""
