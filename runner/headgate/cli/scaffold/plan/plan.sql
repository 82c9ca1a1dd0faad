-- What the plan __plan__ has. `headgate check __plan__` tries this file, `headgate migrate` applies what is edited in it.
select headgate.begin_plan('__plan__');

-- The service. At 127.0.0.1 it is the folder example/ beside this file, served by `python3 -m http.server`.
select headgate.put_provider('__plan__', '__base_url__', quota => 1000,
    requests_per_minute => 600, max_in_flight => 4);
select headgate.put_rule('__plan__', '200', 'success', 'answered', content_type => 'json');

-- What is done to each asset of the universe __plan___items; an answer becomes a row of __plan__.items.
select headgate.put_operation('__plan___item', '__plan___items', due => 'every 1 day', provider => '__plan__',
    units => 1, request => 'GET /items/{asset.code}.json', "into" => '__plan__.items',
    columns => '{"title": "$.title", "price": "$.price"}');

select headgate.put_pipeline('__plan__', 'Read items, once a day.');
select headgate.put_step('__plan__', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('__plan__', 'fetch_items', operations => '{__plan___item}',
    depends_on => '{initialize_execution}');
select headgate.put_step('__plan__', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{fetch_items}', trigger_rule => 'all_done');
select headgate.put_parameter('__plan__', 'items', 'assets', 'Only these items.');

select headgate.end_plan();

select * from headgate.upsert_assets('__plan___items', '[
    {"code": "1", "group_key": "all"}, {"code": "2", "group_key": "all"}, {"code": "3", "group_key": "all"}
]');
