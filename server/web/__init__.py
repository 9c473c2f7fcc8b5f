"""HTTP and WebSocket: pages, routes, live updates, access control."""
