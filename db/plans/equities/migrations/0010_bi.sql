-- role: migrator
-- What analysts read of the listings.

create schema if not exists equities_bi authorization headgate_plan_equities;

comment on schema equities_bi is 'What analysts read of the listings, as headgate_bi is made.';
