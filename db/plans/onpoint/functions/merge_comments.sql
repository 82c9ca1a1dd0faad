-- Merges the comments of a run from their stage into their table.

create or replace function onpoint.merge_comments(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_count integer;
begin
    insert into onpoint.comments as t (id, post_id, name, email, body, etl_processed_at)
    select s.id, s.post_id, s.name, s.email, s.body, s.etl_processed_at
    from headgate_stage.onpoint_load_comments as s
    where s.chunk_id = (p_context ->> 'chunk_id')::bigint
        and s.lease_no = (p_context ->> 'lease_no')::integer
    on conflict (id) do update set
        post_id = excluded.post_id,
        name = excluded.name,
        email = excluded.email,
        body = excluded.body,
        etl_processed_at = excluded.etl_processed_at
    where t.etl_processed_at < excluded.etl_processed_at;
    get diagnostics v_count = row_count;
    return query select p_asset_ids[1], 'success', v_count, null::timestamptz, null::text;
end;
$func$;

comment on function onpoint.merge_comments(jsonb, bigint[], text[]) is
    'Ingest function of onpoint_load_comments: merges the staged rows; a row written by a later run stays.';
