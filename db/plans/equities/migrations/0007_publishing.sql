-- What is shown of prices, and the checks that come before it.

create table equities.checks (
    name text not null,
    description text not null,
    severity text not null,
    comparison text not null,
    threshold double precision not null,
    query text not null,
    constraint checks_pkey primary key (name),
    constraint check_severity_is_known check (severity in ('warning', 'error')),
    constraint comparison_is_known check (comparison in ('at_least', 'at_most'))
);

comment on table equities.checks is
    'What must hold of an exchange''s session before its bars '
    'are published; threshold and severity are the operator''s.';
comment on column equities.checks.name is 'Its name.';
comment on column equities.checks.description is 'What its value is.';
comment on column equities.checks.severity is 'error: the bars are not published; warning: they are, with an alert.';
comment on column equities.checks.comparison is 'at_least or at_most: how the value must stand to the threshold.';
comment on column equities.checks.threshold is 'The threshold.';
comment on column equities.checks.query is
    'SQL that returns one number, or null where there is too little to judge; $1 is the exchange code, $2 the session.';

grant select, insert, update on equities.checks to headgate_owner;

create table equities.check_results (
    group_key text not null,
    session date not null,
    name text not null,
    checked_at timestamptz not null,
    value double precision,
    threshold double precision not null,
    severity text not null,
    is_passed boolean not null,
    constraint check_results_pkey primary key (group_key, session, name)
);

comment on table equities.check_results is 'How each check ended last, by exchange and session.';
comment on column equities.check_results.group_key is 'The exchange code.';
comment on column equities.check_results.session is 'The session.';
comment on column equities.check_results.name is 'The check.';
comment on column equities.check_results.checked_at is 'When.';
comment on column equities.check_results.value is 'What its query returned; null: too little to judge.';
comment on column equities.check_results.threshold is 'The threshold then.';
comment on column equities.check_results.severity is 'The severity then.';
comment on column equities.check_results.is_passed is 'Whether it passed.';

create table equities.publications (
    group_key text not null,
    published_to date not null,
    published_at timestamptz not null,
    run_id text,
    constraint publications_pkey primary key (group_key)
);

comment on table equities.publications is 'How far each exchange''s prices are published, and as they were known when.';
comment on column equities.publications.group_key is 'The exchange code.';
comment on column equities.publications.published_to is 'The last session that is published.';
comment on column equities.publications.published_at is
    'When it was; later corrections are not shown before the next time.';
comment on column equities.publications.run_id is 'The run that published it.';
