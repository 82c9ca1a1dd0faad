-- A provider's name is part of its queues, and runners use it.

create or replace function headgate._keep_name()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._raise(
        'HG008', format('provider %s cannot be renamed: its queues bear its name', old.name),
        'add a provider with the new name and point the operations to it; the description may change'
    );
end;
$func$;

create or replace trigger provider_keeps_its_name
before update on headgate.providers
for each row
when (old.name <> new.name)
execute function headgate._keep_name();

comment on trigger provider_keeps_its_name on headgate.providers is 'Queues are named after their provider.';
