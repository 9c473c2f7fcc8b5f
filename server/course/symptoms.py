"""How a mistake shows."""

from pathlib import Path

FILE = Path(__file__).with_name("symptoms.json")
