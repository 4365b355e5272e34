"""The demo: a small shop of real processes that breaks, and recovers through the pipeline.

    shoppers -> gateway -> orders -> inventory -> database
                                  -> payments  -> database

Every arrow is a real socket on loopback. The services know the pipeline only through the public
API of `faultstream.client`; nothing in the shop ends the fault before the incident is verified.
"""
