-- When a need is due next, by its operation's rule. The one place that knows the rules.

-- After the next session that the watermark lacks; but what was asked for is not asked for again before something new can have
-- been published: a listing that did not trade has no bar for its last session, however often one asks.
create or replace function headgate._session_due_at(
    p_provider_id bigint,
    p_calendar text,
    p_watermark timestamptz,
    p_now timestamptz,
    p_asked_at timestamptz default null
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    -- Past the end of the loaded calendar the pair stays due; doctor warns long before.
    select coalesce(
        greatest(
            (
                select s.closes_at + l.lag
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.session > (p_watermark at time zone 'UTC')::date
                order by s.session
                limit 1
            ),
            (
                select s.closes_at + l.lag
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.session > ((p_asked_at - l.lag) at time zone 'UTC')::date - 3
                    and s.closes_at + l.lag > p_asked_at
                order by s.session
                limit 1
            )
        ),
        p_now
    )
    from (select headgate._publication_lag(p_provider_id, p_calendar) as lag) as l;
$func$;

-- How long after a session's close a provider has its data.
create or replace function headgate._publication_lag(
    p_provider_id bigint,
    p_calendar text
)
returns interval
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        (
            select l.lag
            from headgate.publication_lags as l
            where l.provider_id = p_provider_id
                and l.calendar = p_calendar
        ),
        (select p.publication_lag from headgate.providers as p where p.provider_id = p_provider_id)
    );
$func$;

-- p_is_fit: who asks for many assets has found the due function fit to be called, once for all.
create or replace function headgate._next_due_at(
    p_operation headgate.operations,
    p_asset_id bigint,
    p_calendar text,
    p_watermark timestamptz,
    p_now timestamptz,
    p_asked_at timestamptz default null,
    p_is_fit boolean default false
)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_due_at timestamptz;
begin
    case p_operation.due_rule
        when 'every' then
            v_due_at := p_now + p_operation.due_every;
        when 'session' then
            v_due_at := headgate._session_due_at(
                p_operation.provider_id, p_calendar, p_watermark, p_now, p_asked_at
            );
        when 'function' then
            begin
                v_due_at := headgate._call_due(p_operation.due_function, p_asset_id, p_watermark, p_now, p_is_fit);
            exception
                when transaction_rollback then
                    raise;
                when others then  -- one asset it cannot answer for: the others go on, and it is asked again tomorrow
                    raise warning '% of asset %: %', p_operation.due_function, p_asset_id, sqlerrm;
                    v_due_at := p_now + interval '1 day';
            end;
        else
            v_due_at := null;  -- once: done; after: when an input changes
    end case;

    return v_due_at;
end;
$func$;

-- Ten times the operation's priority plus the asset's weight class: 0 for a weight of 100,000 and more, 5 for 1, 9 at the end.
-- Meant to inline (no pinned path): it is asked once per asset and operation.
create or replace function headgate._state_priority(
    p_priority smallint,
    p_weight double precision
)
returns smallint
language sql
immutable
as $func$
    select (p_priority * 10 + 5 - least(5, greatest(-4, pg_catalog.floor(pg_catalog.log(p_weight)))))::pg_catalog.int2;
$func$;
