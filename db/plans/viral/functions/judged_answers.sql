-- Answers of a service, each with what is wrong with it: one that has not the shape that is asked for fails its asset
-- alone.

create or replace function viral.judged_answers(
    p_asset_ids bigint[],
    p_payloads text[],
    p_shape jsonpath,
    p_content text
)
returns table (asset_id bigint, code text, said jsonb, fault text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.asset_id, a.code, j.said,
        case
            when (j.said @@ p_shape) is not true
                then format('the answer has no %s: %s', p_content, left(j.said::text, 100))
        end
    from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
    join headgate.v_assets as a using (asset_id)
    cross join lateral (select u.payload::jsonb as said) as j;
$func$;

comment on function viral.judged_answers(bigint[], text[], jsonpath, text) is
    'Answers as documents; those that have not the shape come with a fault that names what is missing.';
