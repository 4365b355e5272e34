"""The gateway: errors over HTTP in (JSON, Sentry, OpenTelemetry), answers and wishes out."""
