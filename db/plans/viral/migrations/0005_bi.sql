-- role: migrator
-- What analysts read of the flywheel.

create schema if not exists viral_bi authorization headgate_plan_viral;

comment on schema viral_bi is 'What analysts read of the flywheel, as headgate_bi is made.';
