-- When a need is due next, by its operation's rule. The only place that implements the rules.

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
        when 'run' then
            v_due_at := p_now;  -- a step is planned once in an execution, so this means the next execution
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
                when others then  -- a failing due function affects one asset only, which is checked again tomorrow
                    raise warning '% of asset %: %', p_operation.due_function, p_asset_id, sqlerrm;
                    v_due_at := p_now + interval '1 day';
            end;
        else
            v_due_at := null;  -- once: done; after: when an input changes
    end case;

    return v_due_at;
end;
$func$;
