"""The machine config: `machine_config.parse` turns its text into a value, or into every fault that it has."""
