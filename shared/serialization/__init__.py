"""Events as stored and published: JSON with sealed fields, schema versions, CloudEvents."""
