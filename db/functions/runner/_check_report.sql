-- An invalid report would end as failed jobs.

create or replace function headgate._check_report(
    p_chunk headgate.chunks,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_faults text[],
    p_payloads text[],
    p_request_counts integer[],
    p_charged integer[],
    p_block jsonb,
    p_row_counts integer[],
    p_row_count integer,
    p_answer_count integer
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_count constant integer := cardinality(p_asset_ids);
begin
    if cardinality(p_outcomes) is distinct from v_count
        or cardinality(p_faults) <> v_count
        or cardinality(p_request_counts) <> v_count
        or cardinality(p_charged) <> v_count
        or p_answer_count <> v_count
        or not p_chunk.is_bulk and cardinality(p_payloads) <> v_count
        or p_row_counts is not null
        and (
            cardinality(p_row_counts) <> v_count
            or (select sum(u.rows) from unnest(p_row_counts) as u (rows)) <> p_row_count
        )
        or not p_outcomes <@ array['success', 'skipped', 'retry', 'failed', 'deferred', 'unsent']
        or not array_remove(p_faults, null) <@ array['item', 'provider', 'internal', 'quota']
        or p_block ->> 'until' not in ('retry_after', 'reset', 'execution', 'for')
    then
        perform headgate._raise(
            'HG008', 'malformed report: array lengths differ or a value is unknown',
            'give one known outcome, fault and payload per asset, and a known block; nothing was changed'
        );
    elsif p_chunk.is_bulk and (
        p_asset_ids <> p_chunk.asset_ids
        or not p_outcomes <@ p_outcomes[1 : 1]
        or p_outcomes[1] = 'success'
            and coalesce(cardinality(p_payloads), 0) not between 1 and cardinality(p_chunk.sessions)
    ) then
        perform headgate._raise(
            'HG008',
            'malformed report: a bulk call has one outcome for all of its assets',
            'report the whole chunk, with one payload per answered session, in order; nothing was '
            'changed'
        );
    end if;
end;
$func$;
