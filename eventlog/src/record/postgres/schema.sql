-- Format 1 of the record on PostgreSQL.
--
-- The columns named as postgres-es has them stand beside our own; `sequence` is the position where the stream is a
-- customer's or a partition's marks, so that `events_stream` is the customer's timeline too.
CREATE TABLE cxengage.events (
    position bigint PRIMARY KEY,
    stamp bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    event_version text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    metadata text COLLATE "C" NOT NULL,
    customer bytea,
    partition bigint,
    previous bigint,
    config bigint,
    event_id bytea,
    configures boolean NOT NULL,
    checksum bytea NOT NULL
);
-- What is sealed does not compress.
ALTER TABLE cxengage.events ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX events_stream ON cxengage.events (aggregate_type, aggregate_id, sequence);
CREATE INDEX events_tenant ON cxengage.events (tenant, position);
CREATE INDEX events_domain ON cxengage.events (position) WHERE aggregate_type NOT IN ('customer', 'mark');
CREATE INDEX events_configuring ON cxengage.events (position) WHERE configures;
CREATE INDEX events_configuring_tenant ON cxengage.events (tenant, position) WHERE configures;

-- The one row that every append locks: the end of the record, and the last position of each partition.
CREATE TABLE cxengage.head (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    position bigint NOT NULL,
    stamp bigint NOT NULL,
    partitions bigint[] NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE cxengage.configurations (tenant text COLLATE "C" PRIMARY KEY, position bigint NOT NULL);
CREATE INDEX configurations_position ON cxengage.configurations (position);
CREATE TABLE cxengage.leases (lease text COLLATE "C" PRIMARY KEY, epoch bigint NOT NULL, owner text NOT NULL);
CREATE TABLE cxengage.idempotency (
    day bigint NOT NULL,
    hash bytea NOT NULL,
    position bigint NOT NULL,
    stamp bigint NOT NULL,
    PRIMARY KEY (day, hash)
);
CREATE TABLE cxengage.keys (
    tenant text COLLATE "C" NOT NULL,
    customer bytea NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (tenant, customer)
);
-- SHA-256 of key rows that were erased: what is under way must not bring them back.
CREATE TABLE cxengage.erased (digest bytea PRIMARY KEY);

-- The record as postgres-es reads it: `with_tables('cxengage.events_json', …)`. What is sealed shows as such.
CREATE VIEW cxengage.events_json AS
SELECT aggregate_type, aggregate_id, sequence, event_type, event_version,
       CASE WHEN customer IS NULL THEN convert_from(payload, 'UTF8')::json
            ELSE json_build_object('sealed', encode(payload, 'base64')) END AS payload,
       metadata::json AS metadata
FROM cxengage.events;

-- What holds a row to its place and its content.
CREATE FUNCTION cxengage.checksum(
    p_position bigint, p_stamp bigint, p_sequence bigint, p_previous bigint, p_config bigint, p_content bigint
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT substring(sha256(int8send(p_position) || int8send(p_stamp) || int8send(p_sequence)
        || int8send(coalesce(p_previous, -1)) || int8send(coalesce(p_config, -1)) || int8send(p_content)) FROM 1 FOR 8)
$$;

-- Appends a batch: checks each item in its turn, as a whole, against what the items before it have written, and
-- inserts those that nothing refuses. What can be looked up is looked up once for the whole batch; the loop in the
-- middle computes on arrays; the rows go in with one statement. Items name what they need by its place (from 1; 0:
-- none) in the lists of leases, hashes, tenants, streams and keys; -1 stands for what is not there.
--
-- Answers with the position before the batch, its stamp, and the items that were refused, with the reason (1 fenced,
-- 2 duplicate, 3 stale, 4 conflict, 5 key taken) and the number that goes with it. The answer is small whatever the
-- batch, so a server that does not read it holds up nobody: the commit does not wait for it.
CREATE FUNCTION cxengage.append(
    p_now bigint,
    i_fence bigint[], i_hash bigint[], i_tenant bigint[], i_config bigint[], i_writes bigint[], i_keys bigint[],
    f_lease text[], f_epoch bigint[],
    h_hash bytea[],
    t_tenant text[],
    s_type text[], s_id text[],
    c_tenant text[], c_customer bytea[], c_wrapped bytea[], c_place bigint[],
    r_content bigint[],
    w_stream bigint[], w_expect bigint[], w_events bigint[], w_tenant bigint[], w_partition bigint[],
    e_configures bigint[], e_tenant text[], e_aggregate_type text[], e_aggregate_id text[], e_event_type text[],
    e_event_version text[], e_payload bytea[], e_metadata text[], e_customer bytea[], e_partition bigint[],
    e_event_id bytea[], e_content bigint[],
    OUT o_before bigint, OUT o_stamp bigint,
    OUT o_item bigint[], OUT o_reason bigint[], OUT o_value bigint[]
) LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    day_of constant bigint := 86400000;
    v_at bigint;
    v_partitions bigint[];
    f_holds bigint[]; h_used bigint[]; t_config bigint[]; s_version bigint[]; c_state bigint[];
    h_new bigint[]; t_moved bigint[]; c_new bigint[]; k_owner bigint[];
    w_base bigint[];
    e_position bigint[]; e_sequence bigint[]; e_previous bigint[]; e_config bigint[];
    w_done int := 0; e_done int := 0; r_done int := 0;
    w_last int; e_last int; r_last int; v_w int; v_e int; v_r int;
    v_config bigint; v_first bigint; v_s bigint; v_c bigint; v_p bigint; v_reason bigint; v_value bigint;
    v_keyed boolean := false; v_configured boolean := false;
BEGIN
    SELECT h.position, h.stamp, h.partitions INTO v_at, o_stamp, v_partitions FROM cxengage.head h FOR UPDATE;
    o_before := v_at;
    o_stamp := greatest(o_stamp,
        coalesce(p_now, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint));
    o_item := '{}'; o_reason := '{}'; o_value := '{}';

    IF cardinality(f_lease) > 0 THEN
        SELECT array_agg(CASE WHEN l.epoch = f.epoch THEN 1 ELSE 0 END ORDER BY f.n) INTO f_holds
        FROM unnest(f_lease, f_epoch) WITH ORDINALITY f(lease, epoch, n)
        LEFT JOIN cxengage.leases l ON l.lease = f.lease;
    END IF;
    IF cardinality(h_hash) > 0 THEN
        SELECT array_agg(coalesce(u.position, 0) ORDER BY h.n) INTO h_used
        FROM unnest(h_hash) WITH ORDINALITY h(hash, n)
        LEFT JOIN LATERAL (
            SELECT i.position FROM cxengage.idempotency i
            WHERE i.day IN (o_stamp / day_of, o_stamp / day_of - 1) AND i.hash = h.hash
              AND o_stamp - i.stamp <= day_of
            ORDER BY i.day DESC LIMIT 1
        ) u ON true;
        h_new := array_fill(0::bigint, ARRAY[cardinality(h_hash)]);
    END IF;
    SELECT array_agg(coalesce(c.position, 0) ORDER BY t.n) INTO t_config
    FROM unnest(t_tenant) WITH ORDINALITY t(tenant, n)
    LEFT JOIN cxengage.configurations c ON c.tenant = t.tenant;
    t_moved := array_fill(0::bigint, ARRAY[cardinality(t_tenant)]);
    IF cardinality(s_id) > 0 THEN
        SELECT array_agg(coalesce(l.sequence, 0) ORDER BY s.n) INTO s_version
        FROM unnest(s_type, s_id) WITH ORDINALITY s(type, id, n)
        LEFT JOIN LATERAL (
            SELECT v.sequence FROM cxengage.events v
            WHERE v.aggregate_type = s.type AND v.aggregate_id = s.id ORDER BY v.sequence DESC LIMIT 1
        ) l ON true;
    END IF;
    IF cardinality(c_wrapped) > 0 THEN
        SELECT array_agg(CASE WHEN k.wrapped = c.wrapped THEN 1 WHEN k.wrapped IS NOT NULL THEN 2
            WHEN d.digest IS NOT NULL THEN 3 ELSE 0 END ORDER BY c.n) INTO c_state
        FROM unnest(c_tenant, c_customer, c_wrapped) WITH ORDINALITY c(tenant, customer, wrapped, n)
        LEFT JOIN cxengage.keys k ON k.tenant = c.tenant AND k.customer = c.customer
        LEFT JOIN cxengage.erased d ON d.digest = sha256(c.wrapped);
        c_new := array_fill(0::bigint, ARRAY[cardinality(c_wrapped)]);
        k_owner := array_fill(0::bigint, ARRAY[cardinality(c_wrapped)]);
    END IF;
    w_base := array_fill(0::bigint, ARRAY[cardinality(w_stream)]);
    e_position := array_fill(0::bigint, ARRAY[cardinality(e_content)]);
    e_sequence := e_position; e_previous := e_position; e_config := e_position;

    FOR i IN 1 .. cardinality(i_writes) LOOP
        w_last := w_done + i_writes[i];
        r_last := r_done + i_keys[i];
        v_reason := 0; v_value := 0;
        v_w := w_done;
        v_config := CASE WHEN i_tenant[i] > 0 THEN t_config[i_tenant[i]] ELSE 0 END;
        IF i_fence[i] > 0 AND f_holds[i_fence[i]] = 0 THEN
            v_reason := 1;
        ELSIF i_hash[i] > 0 AND h_used[i_hash[i]] > 0 THEN
            v_reason := 2; v_value := h_used[i_hash[i]];
        ELSIF i_config[i] >= 0 AND i_config[i] <> v_config THEN
            v_reason := 3; v_value := v_config;
        ELSE
            WHILE v_w < w_last LOOP
                v_s := w_stream[v_w + 1];
                IF v_s > 0 THEN
                    v_value := s_version[v_s];
                    IF w_expect[v_w + 1] >= 0 AND w_expect[v_w + 1] <> v_value THEN
                        v_reason := 4;
                        EXIT;
                    END IF;
                    w_base[v_w + 1] := v_value;
                    s_version[v_s] := v_value + w_events[v_w + 1];
                END IF;
                v_w := v_w + 1;
            END LOOP;
            v_r := r_done;
            WHILE v_reason = 0 AND v_r < r_last LOOP
                v_r := v_r + 1;
                v_c := r_content[v_r];
                IF c_state[v_c] > 1 OR (c_state[v_c] = 0 AND k_owner[c_place[v_c]] NOT IN (0, v_c)) THEN
                    v_reason := 5;
                END IF;
            END LOOP;
        END IF;

        IF v_reason > 0 THEN
            -- What the checks have moved is moved back.
            WHILE v_w > w_done LOOP
                v_s := w_stream[v_w];
                IF v_s > 0 THEN s_version[v_s] := s_version[v_s] - w_events[v_w]; END IF;
                v_w := v_w - 1;
            END LOOP;
            o_item := o_item || i::bigint; o_reason := o_reason || v_reason; o_value := o_value || v_value;
            FOR v_w IN w_done + 1 .. w_last LOOP e_done := e_done + w_events[v_w]; END LOOP;
        ELSE
            v_first := v_at + 1;
            FOR v_w IN w_done + 1 .. w_last LOOP
                e_last := e_done + w_events[v_w];
                v_s := w_stream[v_w];
                v_p := w_partition[v_w] + 1;
                FOR v_e IN e_done + 1 .. e_last LOOP
                    v_at := v_at + 1;
                    e_position[v_e] := v_at;
                    IF v_s = 0 THEN
                        e_sequence[v_e] := v_at;
                        e_config[v_e] := v_config;
                        e_previous[v_e] := v_partitions[v_p];
                        v_partitions[v_p] := v_at;
                    ELSE
                        e_sequence[v_e] := w_base[v_w] + v_e - e_done;
                        e_config[v_e] := -1;
                        e_previous[v_e] := -1;
                    END IF;
                    IF e_configures[v_e] = 1 THEN
                        -- The first of the tenants stands for all of them.
                        v_configured := true;
                        t_config[1] := v_at; t_moved[1] := 1;
                        t_config[w_tenant[v_w]] := v_at; t_moved[w_tenant[v_w]] := 1;
                    END IF;
                END LOOP;
                e_done := e_last;
            END LOOP;
            FOR v_r IN r_done + 1 .. r_last LOOP
                v_c := r_content[v_r];
                IF c_state[v_c] = 0 AND k_owner[c_place[v_c]] = 0 THEN
                    k_owner[c_place[v_c]] := v_c; c_new[v_c] := 1;
                END IF;
            END LOOP;
            IF i_hash[i] > 0 THEN
                v_keyed := true;
                h_used[i_hash[i]] := least(v_first, v_at); h_new[i_hash[i]] := 1;
            END IF;
        END IF;
        w_done := w_last;
        r_done := r_last;
    END LOOP;

    INSERT INTO cxengage.events
    SELECT v.position, o_stamp, v.tenant, v.aggregate_type, v.aggregate_id, v.sequence, v.event_type,
        v.event_version, v.payload, v.metadata, v.customer, nullif(v.partition, -1), nullif(v.previous, -1),
        nullif(v.config, -1), v.event_id, v.configures = 1,
        cxengage.checksum(v.position, o_stamp, v.sequence, v.previous, v.config, v.content)
    FROM unnest(e_position, e_tenant, e_aggregate_type, e_aggregate_id, e_sequence, e_event_type,
        e_event_version, e_payload, e_metadata, e_customer, e_partition, e_previous, e_config, e_event_id,
        e_configures, e_content)
      AS v(position, tenant, aggregate_type, aggregate_id, sequence, event_type,
        event_version, payload, metadata, customer, partition, previous, config, event_id,
        configures, content)
    WHERE v.position > 0;

    IF v_configured THEN
        INSERT INTO cxengage.configurations
        SELECT t.tenant, t.position FROM unnest(t_tenant, t_config, t_moved) t(tenant, position, moved)
        WHERE t.moved = 1
        ON CONFLICT (tenant) DO UPDATE SET position = excluded.position;
    END IF;
    IF cardinality(c_wrapped) > 0 THEN
        INSERT INTO cxengage.keys
        SELECT c.tenant, c.customer, c.wrapped
        FROM unnest(c_tenant, c_customer, c_wrapped, c_new) c(tenant, customer, wrapped, fresh)
        WHERE c.fresh = 1;
    END IF;
    IF v_keyed THEN
        INSERT INTO cxengage.idempotency
        SELECT o_stamp / day_of, h.hash, h.position, o_stamp
        FROM unnest(h_hash, h_used, h_new) h(hash, position, fresh) WHERE h.fresh = 1
        ON CONFLICT (day, hash) DO UPDATE SET position = excluded.position, stamp = excluded.stamp;
        -- Days past go a little with each batch, so that none waits for a whole day.
        DELETE FROM cxengage.idempotency i WHERE i.ctid = ANY(ARRAY(
            SELECT o.ctid FROM cxengage.idempotency o WHERE o.day < o_stamp / day_of - 1 ORDER BY o.day LIMIT 2000));
    END IF;
    IF v_at > o_before THEN
        UPDATE cxengage.head h SET position = v_at, stamp = o_stamp, partitions = v_partitions;
        PERFORM pg_notify('cxengage', v_at::text);
    END IF;
END
$$;

-- Takes leases over. Under the same lock as the appends: what the old owner wrote is before it, or refused.
CREATE FUNCTION cxengage.take_leases(p_leases text[], p_owner text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    epochs bigint[];
BEGIN
    PERFORM 1 FROM cxengage.head FOR UPDATE;
    INSERT INTO cxengage.leases AS l (lease, epoch, owner)
    SELECT DISTINCT t.lease, 1, p_owner FROM unnest(p_leases) t(lease)
    ON CONFLICT (lease) DO UPDATE SET epoch = l.epoch + 1, owner = excluded.owner;
    SELECT array_agg(l.epoch ORDER BY t.n) INTO epochs
    FROM unnest(p_leases) WITH ORDINALITY t(lease, n) JOIN cxengage.leases l ON l.lease = t.lease;
    RETURN epochs;
END
$$;

-- Destroys a customer's key row, under the same lock as the appends; whether there was one.
CREATE FUNCTION cxengage.erase(p_tenant text, p_customer bytea) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    gone bytea;
BEGIN
    PERFORM 1 FROM cxengage.head FOR UPDATE;
    DELETE FROM cxengage.keys k WHERE k.tenant = p_tenant AND k.customer = p_customer RETURNING k.wrapped INTO gone;
    IF gone IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO cxengage.erased VALUES (sha256(gone)) ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;
