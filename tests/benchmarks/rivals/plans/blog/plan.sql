select headgate.begin_plan('blog');

select headgate.put_provider('blog', 'http://127.0.0.1:8080', quota => 10000, max_in_flight => 10);

select headgate.put_operation('blog_post', 'blog_posts', due => 'every 7 days', provider => 'blog', units => 1,
    request => 'GET /posts/{asset.code}', "into" => 'blog.posts', columns => '{"title": "$.title", "body": "$.body"}');
select headgate.put_operation('blog_comments', 'blog_posts', due => 'every 1 day', provider => 'blog', units => 1,
    request => 'GET /comments?postId={asset.code}', "into" => 'blog.comments', rows => '$[*]', key => '{comment_id}',
    columns => '{"comment_id": "$.id", "email": "$.email", "body": "$.body"}');
select headgate.put_operation('blog_words', 'blog_posts', due => 'after blog_post, blog_comments',
    ingest_function => 'blog.count_words');

select headgate.put_pipeline('blog');
select headgate.put_step('blog', 'fetch', operations => '{blog_post, blog_comments}');
select headgate.put_step('blog', 'count_words', operations => '{blog_words}', depends_on => '{fetch}',
    trigger_rule => 'all_done');

select headgate.end_plan();

select headgate.upsert_assets('blog_posts', jsonb_agg(jsonb_build_object('code', n::text, 'group_key', 'posts')))
from generate_series(1, 2000) as n;
