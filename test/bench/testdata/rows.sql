-- Rows of a busy install: psql runs it with the variables transfers, connections, runs and token.
SELECT setseed(0.5);

INSERT INTO "user" (username, email, is_superuser, is_active)
SELECT 'bench' || i, 'bench' || i || '@example.com', false, true FROM generate_series(1, 100) i;

INSERT INTO "group" (name, description, owner_id)
SELECT 'Команда данных ' || row_number() OVER (), 'rows of the bench', id FROM "user" WHERE username LIKE 'bench%';

INSERT INTO queue (name, slug, group_id, description)
SELECT 'очередь ' || id, id || '-bench', id, '' FROM "group";

CREATE TEMPORARY TABLE first AS
SELECT (SELECT min(id) FROM "group") AS "group", (SELECT min(id) FROM queue WHERE slug LIKE '%-bench') AS queue;

INSERT INTO connection (group_id, type, name, description, data)
SELECT first."group" + i % 100,
    (ARRAY['postgres', 'oracle', 's3', 'clickhouse', 'hdfs'])[1 + i % 5],
    (ARRAY['Витрина', 'Склад', 'prod', 'staging', 'archive'])[1 + (random() * 4)::int] || '-'
        || (ARRAY['sales', 'billing', 'crm', 'logs', 'hr'])[1 + (random() * 4)::int] || '_' || i,
    'made by the bench',
    CASE i % 5
        WHEN 2 THEN json_build_object('host', 's3-' || i % 50 || '.storage.example.com', 'port', 443, 'protocol', 'https',
            'bucket', 'bucket-' || i, 'bucket_style', 'domain', 'region', 'north-1', 'additional_params', '{}'::json)
        WHEN 4 THEN json_build_object('cluster', 'hadoop-' || i % 20)
        ELSE json_build_object('host', 'db-' || i % 5000 || '.prod.example.com', 'port', 5432, 'database_name', 'base_' || i,
            'additional_params', json_build_object('application_name', 'syncmaster', 'ssl', true))
    END
FROM generate_series(1, :connections) i, first;

INSERT INTO auth_data (connection_id, value) SELECT id, :'token' FROM connection WHERE :'token' <> '';

INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params, source_params,
    target_params, transformations, resources, is_scheduled, schedule, queue_id)
SELECT first."group" + i % 100,
    (ARRAY['Загрузка', 'Выгрузка', 'export', 'import', 'copy'])[1 + (random() * 4)::int] || ' '
        || (ARRAY['заказы', 'orders', 'users', 'платежи', 'events'])[1 + (random() * 4)::int] || '.' || i,
    'made by the bench', 1 + i % :connections, 1 + i::bigint * 7 % :connections,
    CASE WHEN i % 3 = 0 THEN '{"type": "incremental", "increment_by": "updated_at"}' ELSE '{"type": "full"}' END::json,
    json_build_object('type', 'postgres', 'table_name', (ARRAY['public', 'sales', 'dwh', 'raw'])[1 + (random() * 3)::int] || '.'
        || (ARRAY['orders', 'users', 'events', 'payments'])[1 + (random() * 3)::int] || '_' || i % 20000),
    CASE WHEN i % 2 = 0
        THEN json_build_object('type', 's3',
            'directory_path', '/data/' || (ARRAY['orders', 'users', 'events'])[1 + (random() * 2)::int] || '/2025/part-' || i,
            'file_format', '{"type": "csv", "delimiter": ",", "encoding": "utf-8", "quote": "\"", "escape": "\\", '
                '"include_header": true, "line_sep": "\n", "compression": "gzip"}'::json,
            'file_name_template', '{run_created_at}-{index}.{extension}', 'options', '{}'::json)
        ELSE json_build_object('type', 'hive',
            'table_name', 'stage.' || (ARRAY['orders', 'users', 'events', 'payments'])[1 + (random() * 3)::int] || '_' || i % 20000)
    END,
    '[{"type": "dataframe_rows_filter", "filters": [{"type": "equal", "field": "country", "value": "RU"}, '
        '{"type": "is_not_null", "field": "id"}]}, '
        '{"type": "dataframe_columns_filter", "filters": [{"type": "include", "field": "id"}]}]',
    '{"max_parallel_tasks": 2, "cpu_cores_per_task": 1, "ram_bytes_per_task": 2147483648}',
    false, '', first.queue + i % 100
FROM generate_series(1, :transfers) i, first;

-- A run keeps what its transfer and both connections were.
INSERT INTO run (transfer_id, started_at, ended_at, status, type, log_url, transfer_dump)
SELECT t.id, at, at + interval '1 minute' * (1 + random() * 50), CASE WHEN i % 20 = 0 THEN 'FAILED' ELSE 'FINISHED' END,
    CASE WHEN i % 10 = 0 THEN 'MANUAL' ELSE 'SCHEDULED' END,
    'https://logs.example.com/syncmaster-worker?correlation_id=' || gen_random_uuid() || '&run_id=' || i,
    json_build_object('id', t.id, 'group_id', t.group_id, 'name', t.name, 'description', t.description, 'queue_id', t.queue_id,
        'strategy_params', t.strategy_params, 'source_params', t.source_params, 'target_params', t.target_params,
        'transformations', t.transformations, 'resources', t.resources,
        'source_connection', json_build_object('id', s.id, 'name', s.name, 'type', s.type, 'data', s.data),
        'target_connection', json_build_object('id', d.id, 'name', d.name, 'type', d.type, 'data', d.data),
        'checksum', md5(random()::text) || md5(random()::text))
FROM generate_series(1, :runs) i
CROSS JOIN LATERAL (SELECT timestamptz '2024-01-01' + interval '1 second' * i * 30 AS at) moment
JOIN transfer t ON t.id = 1 + i % :transfers
JOIN connection s ON s.id = t.source_connection_id
JOIN connection d ON d.id = t.target_connection_id;
