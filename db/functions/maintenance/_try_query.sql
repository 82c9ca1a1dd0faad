-- The rows that the function of a declared query returns, or why it did not end; an error affects no other query.
-- statement_timeout cancels only once per statement: after it, the remaining queries would have no limit, so they are
-- not run.

create or replace function headgate._try_query(
    p_function text,
    p_timeout interval,
    p_is_out_of_time boolean,
    out rows jsonb,
    out error text,
    out is_out_of_time boolean
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_began constant timestamptz := clock_timestamp();
    v_limit constant interval := nullif(current_setting('statement_timeout'), '0')::interval;
begin
    is_out_of_time := p_is_out_of_time;
    if is_out_of_time then
        error := 'it was not made: the statement_timeout was over';
        return;
    end if;
    perform headgate.require_fit(p_function);
    rows := headgate._check_as_nobody(
        format('select * from %s()', headgate._checked_name(p_function)), v_began + p_timeout
    );
exception
    when transaction_rollback then
        raise;
    when query_canceled then
        -- The limit counts from a moment before statement_timestamp().
        is_out_of_time := coalesce(clock_timestamp() >= statement_timestamp() + 0.9 * v_limit, false);
        if clock_timestamp() >= v_began + p_timeout then
            error := format('it took longer than its timeout of %s', headgate.in_words(p_timeout));
        elsif is_out_of_time then
            error := format('it took longer than the statement_timeout of %s', headgate.in_words(v_limit));
        else
            raise;
        end if;
    when others then
        error := format('%s [%s]', sqlerrm, sqlstate);
end;
$func$;

-- Run a query read-only and roll back whatever it did. The application name shows heartbeats until when it may run.
create or replace function headgate._check_as_nobody(
    p_query text,
    p_until timestamptz
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_found jsonb;
begin
    perform set_config('transaction_read_only', 'on', true);
    perform set_config('application_name', 'headgate check until ' || ceil(extract(epoch from p_until)), true);
    execute format('select coalesce(jsonb_agg(to_jsonb(c)), ''[]'') from (%s) as c', p_query) into v_found;
    raise exception using errcode = 'UNDO0';
exception
    when sqlstate 'UNDO0' then
        if v_found is null then  -- the query itself raised this
            raise;
        end if;
        return v_found;
end;
$func$;

-- Owned by headgate_nobody. The new owner of a function needs the right to create in the schema, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._check_as_nobody(text, timestamptz) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
