"""What is read from the service can be sent back: an update without a file prints the entity and reads it again."""

from scripts.az_ml import entities


def test_nulls_are_left_out_at_every_depth():
    held = {"identity": {"user_assigned_identities": [{"resource_id": "r", "principal_id": None}], "tenant_id": None}}
    assert entities.read_again({**held, "description": None, "tags": {}}) == [
        {"identity": {"user_assigned_identities": [{"resource_id": "r"}]}},
        {"tags": {}},
    ]
