"""Support tickets, from the topic `client_tickets`.

Belongs here, in reading order: the row models (`tables`), how a value becomes a row (`topic`,
`requests`), which team has which request type (`teams`), the newest state of each ticket
(`states`), counts by request type (`request_counts`), the JSON documents in object storage
(`documents`, `copies`); the wiring.
"""
