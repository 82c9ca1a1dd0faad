-- Puts the run's model in use if its NDCG at 10 exceeds popularity's and is not below the current model's; otherwise
-- the model is stored unused.

create or replace function recommender.promote_model(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_model recommender.models;
    v_used recommender.models;
begin
    select * into v_used from recommender.models as m where m.is_in_use for update;
    select * into v_model
    from recommender.models as m
    where m.run_id = p_run_id
    order by m.trained_at desc
    limit 1
    for update;
    if v_model is null then
        raise exception 'run % trained no model', p_run_id using errcode = 'HG008',
            hint = 'see why with select * from headgate.v_execution_steps where run_id = ''' || p_run_id || '''';
    end if;
    if v_model.decision is null then
        v_model.decision := case
            when v_model.ndcg_at_10 <= v_model.popularity_ndcg_at_10 then format(
                'not used: NDCG at 10 is %s, popularity''s %s',
                round(v_model.ndcg_at_10::numeric, 4), round(v_model.popularity_ndcg_at_10::numeric, 4)
            )
            when v_model.ndcg_at_10 < v_used.ndcg_at_10 then format(
                'not used: NDCG at 10 is %s, that of %s in use %s',
                round(v_model.ndcg_at_10::numeric, 4), v_used.model_version, round(v_used.ndcg_at_10::numeric, 4)
            )
            else format('in use: NDCG at 10 is %s, popularity''s %s',
                round(v_model.ndcg_at_10::numeric, 4), round(v_model.popularity_ndcg_at_10::numeric, 4))
        end;
        v_model.is_in_use := v_model.decision like 'in use%';
        update recommender.models as m set is_in_use = false where m.is_in_use and v_model.is_in_use;
        update recommender.models as m
        set is_in_use = v_model.is_in_use, decision = v_model.decision
        where m.model_version = v_model.model_version;
    end if;
    return jsonb_build_object(
        'model_type', 'recommendation_model',
        'training_samples', v_model.training_samples,
        'training_timestamp', to_char(v_model.trained_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'model_version', v_model.model_version,
        'is_in_use', v_model.is_in_use,
        'decision', v_model.decision,
        'metrics', jsonb_build_object(
            'precision_at_10', v_model.precision_at_10, 'recall_at_10', v_model.recall_at_10,
            'ndcg_at_10', v_model.ndcg_at_10, 'popularity_ndcg_at_10', v_model.popularity_ndcg_at_10
        )
    );
end;
$func$;

comment on function recommender.promote_model(text, text) is
    'Put the run''s model in use if it is better than popularity and not worse than the model in use; returns the '
    'decision and its reason.';
