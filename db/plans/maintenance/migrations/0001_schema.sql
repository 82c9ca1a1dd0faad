-- Housekeeping has no tables of its own; its schema says what it is.

comment on schema maintenance is 'House-keeping: a pipeline of stored functions and one call; no tables.';
