"""What surrounds every command, one file each."""
