-- Stores a trained model: its figures in one row, its weights in rows of their own. promote_model decides whether it is
-- used.

create or replace function recommender.ingest_model(
    p_context jsonb,
    p_asset_ids bigint[],
    p_rows recommender.trained_row[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := p_context ->> 'now';
    v_version constant text := (  -- the model in use may have been trained in the same second
        select v.name
        from generate_series(0, 1) as s (seconds)
        cross join to_char((v_now + make_interval(secs => s.seconds)) at time zone 'UTC', '"v"YYYYMMDD_HH24MISS')
            as v (name)
        where not exists (select from recommender.models as m where m.model_version = v.name and m.is_in_use)
        order by s.seconds
        limit 1
    );
    v_figures constant jsonb := (
        select jsonb_object_agg(r.figure, r.value) from unnest(p_rows) as r where r.figure is not null
    );
begin
    delete from recommender.models as m where m.model_version = v_version and not m.is_in_use;
    insert into recommender.models
    select f.*
    from jsonb_populate_record(null::recommender.models, v_figures || jsonb_build_object(
        'model_version', v_version, 'run_id', p_context ->> 'run_id', 'trained_at', v_now, 'is_in_use', false
    )) as f;
    insert into recommender.model_weights
    select v_version, r.item_id, r.neighbour_id, r.value
    from unnest(p_rows) as r
    where r.figure is null;
    return query
    select p_asset_ids[1], 'success', cardinality(p_rows), v_now, null::text;
end;
$func$;

comment on function recommender.ingest_model(jsonb, bigint[], recommender.trained_row[]) is
    'Ingest function of recommender_model: stores a model, its figures and its weights.';
