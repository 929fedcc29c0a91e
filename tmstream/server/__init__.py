"""Who may come in, and what each client is sent."""
