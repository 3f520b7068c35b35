"""What enters and leaves over HTTP: each endpoint parses, makes one call, shapes the answer."""
