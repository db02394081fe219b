"""Where a client sends a browser, and what the person is asked: the authorization endpoint,
consent, pushed requests, and the codes that devices show."""
