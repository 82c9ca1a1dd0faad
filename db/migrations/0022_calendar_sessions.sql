-- The rows that the handler of trading calendars returns.

create type headgate.calendar_session as (
    asset_id bigint,
    calendar text,
    session date,
    opens_at timestamptz,
    closes_at timestamptz,
    is_early_close boolean
);

comment on type headgate.calendar_session is 'A trading session as a handler computed it; the asset is its calendar.';
