"""What administrators ask for over HTTP, carried out beside the projector."""
