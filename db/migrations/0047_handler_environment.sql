-- What a handler may see of its runner's environment is declared by its operation, by name; a runner no longer lets all of its
-- handlers see the same. And an alert remembers who raised it.

alter table headgate.operations
    add column handler_environment text[] not null default '{}',
    -- squawk-ignore constraint-missing-not-valid
    add constraint environment_has_its_handler check (handler_environment = '{}' or handler is not null);

comment on column headgate.operations.handler_environment is
    'Names of the environment variables its handler sees besides harmless ones (PATH, LANG, TZ); never values, no secret, no DSN.';

alter table headgate.alerts add column raised_by text;

comment on column headgate.alerts.raised_by is
    'The role that asked for it: another plan''s does not close it; null: the core itself, or not known.';
