"""Durable files, locks, quotas and disk errors."""
