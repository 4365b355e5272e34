"""Kafka itself: the Faust transport, the topics and the embedded broker."""
