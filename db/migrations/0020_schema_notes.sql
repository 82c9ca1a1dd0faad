-- Objects as the last migrate left them, so that manual changes are detected.

create table headgate.schema_notes (
    object text not null,
    kind text not null,
    fingerprint text not null,
    constraint schema_notes_pkey primary key (object, kind)
);

comment on table headgate.schema_notes is
    'Functions, tables and views as the last migrate left them; compared by headgate.examine.';
comment on column headgate.schema_notes.object is 'The object''s whole name.';
comment on column headgate.schema_notes.kind is 'function, table, view or server.';
comment on column headgate.schema_notes.fingerprint is
    'A hash of its definition, owner, rights and settings; for the server, its major version.';
