-- Housekeeping has no tables of its own; the schema only carries a description.

comment on schema maintenance is 'Housekeeping: a pipeline of stored functions and one call; no tables.';
