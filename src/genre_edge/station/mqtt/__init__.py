"""MQTT publishing with Home Assistant discovery."""
