-- How long a reader's transaction may hold the horizon.

insert into headgate.settings (name, value) values ('reader_transactions', '"10 minutes"');

comment on column headgate.settings.name is
    'test_clock: sessions may move headgate.clock(); keep_history: how long details are kept; sessions_ahead: fewer loaded trading sessions raise an alert; reader_transactions: a reader''s session with an older one is ended.';
