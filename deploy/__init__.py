"""What runs the service elsewhere: images, compose, Kubernetes, systemd, proxies."""
