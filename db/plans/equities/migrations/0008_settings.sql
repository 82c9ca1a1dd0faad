-- Parameters of this plan's functions.

create table equities.settings (
    name text not null,
    value double precision not null,
    description text not null,
    constraint settings_pkey primary key (name)
);

comment on table equities.settings is
    'Parameters of this plan''s functions; an operator''s update stays when the plan is applied again.';
comment on column equities.settings.name is 'Its name.';
comment on column equities.settings.value is 'Its value.';
comment on column equities.settings.description is 'Its description.';

grant select, insert, update on equities.settings to headgate_owner;
