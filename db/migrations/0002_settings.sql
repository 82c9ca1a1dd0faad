-- Settings of this database, one row each.

create table headgate.settings (
    name text not null,
    value jsonb not null,
    constraint settings_pkey primary key (name)
);

comment on table headgate.settings is 'Settings of this database; only the owner changes them.';
comment on column headgate.settings.name is 'test_clock: sessions may move headgate.clock() by headgate.clock_offset or headgate.clock_frozen.';
comment on column headgate.settings.value is 'The setting''s value.';

insert into headgate.settings (name, value) values ('test_clock', 'false');
