--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: cxengage; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA cxengage;


--
-- Name: append(bigint, bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], bigint[], bytea[], text[], text[], text[], text[], bytea[], bytea[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], text[], text[], text[], text[], bytea[], text[], bytea[], bigint[], bytea[], bigint[]); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.append(p_now bigint, i_fence bigint[], i_hash bigint[], i_tenant bigint[], i_config bigint[], i_writes bigint[], i_keys bigint[], f_lease text[], f_epoch bigint[], h_hash bytea[], t_tenant text[], s_type text[], s_id text[], c_tenant text[], c_customer bytea[], c_wrapped bytea[], c_place bigint[], r_content bigint[], w_stream bigint[], w_expect bigint[], w_events bigint[], w_tenant bigint[], w_partition bigint[], e_configures bigint[], e_tenant text[], e_aggregate_type text[], e_aggregate_id text[], e_event_type text[], e_event_version text[], e_payload bytea[], e_metadata text[], e_customer bytea[], e_partition bigint[], e_event_id bytea[], e_content bigint[], OUT o_before bigint, OUT o_stamp bigint, OUT o_item bigint[], OUT o_reason bigint[], OUT o_value bigint[]) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
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


--
-- Name: checksum(bigint, bigint, bigint, bigint, bigint, bigint); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.checksum(p_position bigint, p_stamp bigint, p_sequence bigint, p_previous bigint, p_config bigint, p_content bigint) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT substring(sha256(int8send(p_position) || int8send(p_stamp) || int8send(p_sequence)
        || int8send(coalesce(p_previous, -1)) || int8send(coalesce(p_config, -1)) || int8send(p_content)) FROM 1 FOR 8)
$$;


--
-- Name: claim(text, text, text, bigint); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.claim(p_name text, p_taker text, p_holder text, p_beat bigint, OUT o_holder text, OUT o_beat bigint, OUT o_progress bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO cxengage.terms VALUES (p_name, '', 0, 0) ON CONFLICT DO NOTHING;
    UPDATE cxengage.terms t SET holder = p_taker, beat = t.beat + 1
    WHERE t.name = p_name
      AND (t.holder IN ('', p_taker) OR (t.holder = p_holder AND t.beat = p_beat));
    SELECT t.holder, t.beat, t.progress INTO o_holder, o_beat, o_progress
    FROM cxengage.terms t WHERE t.name = p_name;
END
$$;


--
-- Name: erase(text, bytea); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.erase(p_tenant text, p_customer bytea) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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


--
-- Name: keep(text, text, text, bigint, bytea[], bytea[]); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.keep(p_term text, p_holder text, p_name text, p_position bigint, p_keys bytea[], p_values bytea[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM 1 FROM cxengage.terms t WHERE t.name = p_term AND t.holder = p_holder FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO cxengage.places VALUES (p_name, p_position)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    DELETE FROM cxengage.place_rows r USING unnest(p_keys, p_values) c(key, value)
    WHERE r.name = p_name AND r.key = c.key AND c.value IS NULL;
    INSERT INTO cxengage.place_rows
    SELECT p_name, c.key, c.value FROM unnest(p_keys, p_values) c(key, value) WHERE c.value IS NOT NULL
    ON CONFLICT (name, key) DO UPDATE SET value = excluded.value;
    RETURN true;
END
$$;


--
-- Name: roll_call(text, text, bigint[]); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.roll_call(p_work text, p_server text, p_warm bigint[]) RETURNS TABLE(server text, beat bigint, warm bigint[], holds bigint[])
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO cxengage.workers AS w VALUES (p_work, p_server, 1, p_warm)
    ON CONFLICT (work, server) DO UPDATE SET beat = w.beat + 1, warm = excluded.warm;
    RETURN QUERY
    SELECT w.server, w.beat, w.warm, array(
        SELECT split_part(t.name, ':', 2)::bigint FROM cxengage.terms t
        WHERE t.holder = w.server AND t.name LIKE p_work || ':%'
    )
    FROM cxengage.workers w WHERE w.work = p_work ORDER BY w.server;
END
$$;


--
-- Name: take_leases(text[], text, text); Type: FUNCTION; Schema: cxengage; Owner: -
--

CREATE FUNCTION cxengage.take_leases(p_leases text[], p_owner text, p_holder text) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    epochs bigint[];
BEGIN
    PERFORM 1 FROM cxengage.head FOR UPDATE;
    PERFORM 1 FROM unnest(p_leases) t(lease) JOIN cxengage.terms m ON m.name = split_part(t.lease, '/', 1)
    WHERE m.holder <> p_holder;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO cxengage.leases AS l (lease, epoch, owner)
    SELECT DISTINCT t.lease, 1, p_owner FROM unnest(p_leases) t(lease)
    ON CONFLICT (lease) DO UPDATE SET epoch = l.epoch + 1, owner = excluded.owner;
    SELECT array_agg(l.epoch ORDER BY t.n) INTO epochs
    FROM unnest(p_leases) WITH ORDINALITY t(lease, n) JOIN cxengage.leases l ON l.lease = t.lease;
    RETURN epochs;
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: configurations; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.configurations (
    tenant text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);


--
-- Name: erased; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.erased (
    digest bytea NOT NULL
);


--
-- Name: errands; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE UNLOGGED TABLE cxengage.errands (
    id bigint NOT NULL,
    term text NOT NULL,
    errand text NOT NULL,
    taken boolean DEFAULT false NOT NULL,
    answer text,
    made timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: errands_id_seq; Type: SEQUENCE; Schema: cxengage; Owner: -
--

ALTER TABLE cxengage.errands ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME cxengage.errands_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: events; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.events (
    "position" bigint NOT NULL,
    stamp bigint NOT NULL,
    tenant text NOT NULL COLLATE pg_catalog."C",
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    sequence bigint NOT NULL,
    event_type text NOT NULL COLLATE pg_catalog."C",
    event_version text NOT NULL COLLATE pg_catalog."C",
    payload bytea NOT NULL,
    metadata text NOT NULL COLLATE pg_catalog."C",
    customer bytea,
    partition bigint,
    previous bigint,
    config bigint,
    event_id bytea,
    configures boolean NOT NULL,
    checksum bytea NOT NULL
);
ALTER TABLE ONLY cxengage.events ALTER COLUMN payload SET STORAGE EXTERNAL;


--
-- Name: events_json; Type: VIEW; Schema: cxengage; Owner: -
--

CREATE VIEW cxengage.events_json AS
 SELECT events.aggregate_type,
    events.aggregate_id,
    events.sequence,
    events.event_type,
    events.event_version,
        CASE
            WHEN (events.customer IS NULL) THEN (convert_from(events.payload, 'UTF8'::name))::json
            ELSE json_build_object('sealed', encode(events.payload, 'base64'::text))
        END AS payload,
    (events.metadata)::json AS metadata
   FROM cxengage.events;


--
-- Name: format; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.format (
    format integer NOT NULL,
    partitions integer NOT NULL
);


--
-- Name: head; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.head (
    id boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    stamp bigint NOT NULL,
    partitions bigint[] NOT NULL,
    CONSTRAINT head_id_check CHECK (id)
)
WITH (fillfactor='10');


--
-- Name: idempotency; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.idempotency (
    day bigint NOT NULL,
    hash bytea NOT NULL,
    "position" bigint NOT NULL,
    stamp bigint NOT NULL
);


--
-- Name: keys; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.keys (
    tenant text NOT NULL COLLATE pg_catalog."C",
    customer bytea NOT NULL,
    wrapped bytea NOT NULL
);


--
-- Name: leases; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.leases (
    lease text NOT NULL COLLATE pg_catalog."C",
    epoch bigint NOT NULL,
    owner text NOT NULL
);


--
-- Name: pieces; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.pieces (
    tenant text NOT NULL COLLATE pg_catalog."C",
    file text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    stamp bigint NOT NULL,
    sealed bytea NOT NULL
);
ALTER TABLE ONLY cxengage.pieces ALTER COLUMN sealed SET STORAGE EXTERNAL;


--
-- Name: place_rows; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.place_rows (
    name text NOT NULL COLLATE pg_catalog."C",
    key bytea NOT NULL,
    value bytea NOT NULL
);


--
-- Name: places; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.places (
    name text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
);


--
-- Name: store; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.store (
    id text NOT NULL
);


--
-- Name: terms; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.terms (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    beat bigint NOT NULL,
    progress bigint NOT NULL
);


--
-- Name: workers; Type: TABLE; Schema: cxengage; Owner: -
--

CREATE TABLE cxengage.workers (
    work text NOT NULL COLLATE pg_catalog."C",
    server text NOT NULL COLLATE pg_catalog."C",
    beat bigint NOT NULL,
    warm bigint[] NOT NULL
);


--
-- Data for Name: configurations; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.configurations VALUES ('', 16);
INSERT INTO cxengage.configurations VALUES ('acme', 16);


--
-- Data for Name: erased; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.erased VALUES ('\x8897860b46aa2823116a4a6442f72644fcaeee0f6777e918481d53e490ee1397');


--
-- Data for Name: errands; Type: TABLE DATA; Schema: cxengage; Owner: -
--



--
-- Data for Name: events; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.events VALUES (1, 1795666216658, '', 'client', '/admin', 1, 'client-created', '1', '\x7b2263726561746564223a7b226e616d65223a2261646d696e222c2273636f706573223a5b2261646d696e225d2c227365637265745f68617368223a22246172676f6e32696424763d3139246d3d31393435362c743d322c703d312464715a2f474646317845424732386c666c532f4d4a6724776f577578616947704e754975586b426a576f6535474d6c444f56527358745947424f4b2b497466556c49222c2274656e616e7473223a5b5d7d7d', '{}', NULL, NULL, NULL, NULL, NULL, false, '\x1ef5ef53c0cd0cd6');
INSERT INTO cxengage.events VALUES (2, 1795666216686, '', 'token', '/6771e86a5edeae7dd5d6d6766e0e9ad406b4a5ae8629f4afff9dc5855b2415fc', 1, 'token-issued', '1', '\x7b22636c69656e74223a2261646d696e222c2273636f706573223a5b2261646d696e225d2c2265787069726573223a313739353636393831363638357d', '{"by":"admin","request":"3113df1c-0"}', NULL, NULL, NULL, NULL, NULL, false, '\xd3bbafde3f92cc47');
INSERT INTO cxengage.events VALUES (3, 1795666216691, 'acme', 'tenant', 'acme/acme', 1, 'tenant-created', '1', '\x7b2263726561746564223a7b226e616d65223a2241636d65204c7464222c2275756964223a2232316665623734372d363637372d343436392d616334322d333837643230633966323035227d7d', '{"by":"admin","request":"3113df1c-1"}', NULL, NULL, NULL, NULL, NULL, false, '\x14e0d6e6d82df92a');
INSERT INTO cxengage.events VALUES (4, 1795666216719, '', 'client', '/db757811-34fd-4f4d-9457-1ac49feda2b3', 1, 'client-created', '1', '\x7b2263726561746564223a7b226e616d65223a2274657374222c2273636f706573223a5b2272656164222c227772697465222c226576656e7473222c22696e746567726174696f6e733a6d616e616765222c2273656372657473225d2c227365637265745f68617368223a22246172676f6e32696424763d3139246d3d31393435362c743d322c703d312461377433394a307575696b4344485079616156673951245a415937514b5762396c6f41713973774269316e5851687967734a4332446169375471462f6c4245726d55222c2274656e616e7473223a5b2261636d65225d7d7d', '{"by":"admin","request":"3113df1c-2"}', NULL, NULL, NULL, NULL, NULL, false, '\xf654efc0b48a2df7');
INSERT INTO cxengage.events VALUES (5, 1795666216746, '', 'token', '/242e40d91d8c2c01b91a45881d1265791638e0cdd216a1f8ddb23ad44ffdb5f5', 1, 'token-issued', '1', '\x7b22636c69656e74223a2264623735373831312d333466642d346634642d393435372d316163343966656461326233222c2273636f706573223a5b2272656164222c227772697465222c226576656e7473222c22696e746567726174696f6e733a6d616e616765222c2273656372657473225d2c2265787069726573223a313739353636393831363734357d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-3"}', NULL, NULL, NULL, NULL, NULL, false, '\xe9e86eb9bdd7f74d');
INSERT INTO cxengage.events VALUES (6, 1795666216749, 'acme', 'tenant', 'acme/acme', 2, 'key-attribute-set', '1', '\x7b226b65792d6174747269627574652d736574223a7b226b6579223a226964227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-4"}', NULL, NULL, NULL, NULL, NULL, true, '\x9d8987a111aab0db');
INSERT INTO cxengage.events VALUES (7, 1795666216758, 'acme', 'template', 'acme/TM1', 1, 'template-created', '1', '\x7b2263726561746564223a7b226e616d65223a226f75746572222c2274656d706c617465223a2244656172207b7b69647d7d2c207b7b3e20544d327d7d227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-5"}', NULL, NULL, NULL, NULL, NULL, false, '\xbfc48737939a03cf');
INSERT INTO cxengage.events VALUES (8, 1795666216768, 'acme', 'template', 'acme/TM2', 1, 'template-created', '1', '\x7b2263726561746564223a7b226e616d65223a22696e6e6572222c2274656d706c617465223a2266726f6d20544d32227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-6"}', NULL, NULL, NULL, NULL, NULL, false, '\x573029da3419e570');
INSERT INTO cxengage.events VALUES (9, 1795666216776, 'acme', 'integration', 'acme/webhook', 1, 'integration-set', '1', '\x7b22736574223a7b22616374697665223a747275652c226669656c6473223a7b2275726c223a2268747470733a2f2f6578616d706c652e636f6d2f686f6f6b227d2c226f6e2d616d626967756f7573223a227265747279222c2273656372657473223a7b22736563726574223a224156425478466b6a446e7a537a7a494a5636556243664b3867613041494c424859766e5a676e564135364f4b56596a61674e475058597044357359542f55303d227d7d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-7"}', NULL, NULL, NULL, NULL, NULL, false, '\xfc79a45d93af9490');
INSERT INTO cxengage.events VALUES (10, 1795666216791, 'acme', 'pattern', 'acme/PT1', 1, 'pattern-created', '1', '\x7b2263726561746564223a7b226e616d65223a2261207061747465726e222c22737461747573223a747275652c227468656e223a2228736571202873656e64206563686f206d657373616765207b3a6d657373616765202a746578742a7d292028736574207365656e202a746578742a2920286576656e74207b3a6964202a69642a203a74797065205c226d6164655c22203a74657874207365656e7d2929222c2276657273696f6e223a312c227768656e223a222877697468696e203120686f7572732028636f756e74203220286576656e7420283d2074797065205c22646f6e655c2229292929227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-8"}', NULL, NULL, NULL, NULL, NULL, true, '\x7547ee8233952928');
INSERT INTO cxengage.events VALUES (11, 1795666216801, 'acme', 'pattern', 'acme/PT2', 1, 'pattern-created', '1', '\x7b2263726561746564223a7b226e616d65223a2261207061747465726e222c22737461747573223a747275652c227468656e223a222873657120286578706563742028616e6420283d20246964202a69642a2920283d202474797065205c22706169645c22292929202873656e64206563686f206d657373616765207b3a6d657373616765205c226d5c227d202874656d706c617465207b3a6d657373616765202b544d317d292929222c2276657273696f6e223a312c227768656e223a22286576656e7420283d2074797065205c2277616974696e675c222929227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-9"}', NULL, NULL, NULL, NULL, NULL, true, '\x2965bfdd273fbdf1');
INSERT INTO cxengage.events VALUES (12, 1795666216811, 'acme', 'pattern', 'acme/PT3', 1, 'pattern-created', '1', '\x7b2263726561746564223a7b226e616d65223a2261207061747465726e222c22737461747573223a747275652c227468656e223a22287365742078203129222c2276657273696f6e223a312c227768656e223a2228636f756e7420322028616e7920286576656e7420283d2074797065205c2268616c665c222929202873657120286576656e7420283d2074797065205c22615c22292920286576656e7420283d2074797065205c22625c222929292929227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-a"}', NULL, NULL, NULL, NULL, NULL, true, '\x76b2d20d4522ead6');
INSERT INTO cxengage.events VALUES (13, 1795666216820, 'acme', 'pattern', 'acme/PT4', 1, 'pattern-created', '1', '\x7b2263726561746564223a7b226465736372697074696f6e223a226b65707420776f726420666f7220776f7264222c226e616d65223a22756e66696e6973686564222c22737461747573223a66616c73652c2276657273696f6e223a302c227768656e223a222873657120286576656e74227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-b"}', NULL, NULL, NULL, NULL, NULL, true, '\xdec7f7642eb60ff9');
INSERT INTO cxengage.events VALUES (14, 1795666216830, 'acme', 'pattern', 'acme/PT5', 1, 'pattern-created', '1', '\x7b2263726561746564223a7b226e616d65223a2261207061747465726e222c22737461747573223a747275652c227468656e223a22287365742078203129222c2276657273696f6e223a312c227768656e223a22286576656e7420283d2074797065205c226e657665725c222929227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-c"}', NULL, NULL, NULL, NULL, NULL, true, '\x1e9c4452fcda5561');
INSERT INTO cxengage.events VALUES (15, 1795666216841, 'acme', 'pattern', 'acme/PT5', 2, 'pattern-deleted', '1', '\x2264656c6574656422', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-d"}', NULL, NULL, NULL, NULL, NULL, true, '\x93c155379de6a462');
INSERT INTO cxengage.events VALUES (16, 1795666216853, 'acme', 'pattern', 'acme/PT1', 2, 'pattern-updated', '1', '\x7b2275706461746564223a7b226e616d65223a2272656e616d6564222c22737461747573223a747275652c227468656e223a2228736571202873656e64206563686f206d657373616765207b3a6d657373616765202a746578742a7d292028736574207365656e202a746578742a2920286576656e74207b3a6964202a69642a203a74797065205c226d6164655c22203a74657874207365656e7d2929222c2276657273696f6e223a322c227768656e223a222877697468696e203220686f7572732028636f756e74203220286576656e7420283d2074797065205c22646f6e655c2229292929227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-e"}', NULL, NULL, NULL, NULL, NULL, true, '\x3cf61f3b9c6a29a9');
INSERT INTO cxengage.events VALUES (17, 1795666216861, 'acme', 'customer', 'acme/62bceb5357106a39fc075ed65b811945', 17, 'customer-event', '1', '\x01aab8350e567d64e7d6800968ad7a993d8c518f5f4d990be7f31dc5f04df0d8a2333acd3118115c30efa6079c86e7fa2ffef5377973a94b451110ae88954cd1f78606e10f9023fded3a0faabdf43c3a115e75408b3b3562016c79fba01240478e82e245bb3285938c87d42f45a39cb541dc3b44f359661aedb23dafb85940b711b558dcb729e2002da460186b09dfb0104629f183b7a16741a527dd328e1025a7f615008332a412dd16b67c925cb9564f32a5ab3be625aad3f1d8f6f2a938fe6ac3cd73abaf719ec2f5f7b6d0d7ab3f5bf310da816bd455a14baf87092c86b0eac358f51adb4afb3173e64b38459d2f1c7bdf2a27', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-f"}', '\x62bceb5357106a39fc075ed65b811945', 52, 0, 16, '\x7a9d00d8413ef148eba0cfb3d8fed0e0', false, '\x1879d4fb402449a1');
INSERT INTO cxengage.events VALUES (18, 1795666216864, 'acme', 'customer', 'acme/62bceb5357106a39fc075ed65b811945', 18, 'customer-event', '1', '\x01aab8350e567d64e7ce2d16dd338ceb6eb2f45255bde00b05aee5d109f6c27c8d6883333fa7dff9bcab92ea1c5d8645957ad33fb183cbe4fca59a5a72f77e45fadaa2408ebdba7f6c149651c272ebccc8156060e0839c086c095f15bd28960c5ab588037d54ff3a654e15c40342c6815fb1e61fd1a9a4619301f074be2f871900b8a6a96f867a1431cd9458e913a55ca52a5666541d4df6b498c01ecbcd37de5659b8f010da41eb95f8c54fcee97931b17db659fc9975ce8358b91614f2a291fa8888952971b20e1ca88b2ea653e4c82559a38d48ac094f2be279d37be9c97a46dd22ac62ceea4990488e5fb7a8765d9bafb5a5241f9647f82018d522c64f', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-10"}', '\x62bceb5357106a39fc075ed65b811945', 52, 17, 16, '\x98c5ff55139a173328da8338f6f388c1', false, '\xd781ce081b4c033d');
INSERT INTO cxengage.events VALUES (19, 1795666216866, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 1, 'match-completed', '1', '\x01aab8350e567d64e7b24b247c7a2c136472a6d5826c69f71654b86cc88ea467c7bf2f1f17957e641b1d232393baab061acc7fe6a7c653b5a716b3008c123c3fa63e0718c59cf5a460ed8e3625ba47b5e0ca5fc49a173ef11297466853581b0af44a8c8676f0e0c34d57ccb1124589c28f1dfa7161a13b4ce678558ada3975cdb6b30f7ed1608bf675f405d1db09e18d296ec0a73e', '{"cause":18}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x7c0fd679c20097ce');
INSERT INTO cxengage.events VALUES (20, 1795666216867, 'acme', 'customer', 'acme/84338ed85e91739c20907ff6b145f347', 20, 'customer-event', '1', '\x017c2c9dd7a653ad8a2797989089aec34eb76df0c8df477a957a61ab9e97ee65d3967d25f3c7aef4ad6121492077d096e1b3b08171b5be617a59931168f92de21bb407c8bc20fece95a00a4d0af90ce63cfca2b74913aed78c7f905d5d3743e3cdb5c9f1aa070c33bad54e73b9ac97c985180dbf38c9214d5fe9b2c97b756d7854756d9a60341ec2172a271ddd5c44f98c7132e6553a0971f3c0d8aaf688ec962905e1c2ec392dc23bca641017110174dc10be3d2c5a3d21c833199fdf29b5aee27c00b74d6eed74d88b978edf5a6fe9483e7af4004eccc46cb377b1c9fdf7f4fec9b6a7fe8ccebdb476b7770b1cb7dc1067262f320f39942b6f', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-11"}', '\x84338ed85e91739c20907ff6b145f347', 5, 0, 16, '\x4ed0fd8e6f787a1aa5698e2e486ebb40', false, '\x1d25631a308aa88c');
INSERT INTO cxengage.events VALUES (21, 1795666216869, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 2, 'reaction-started', '1', '\x01aab8350e567d64e769e8c3829731aeceb2b7727de66e923f5bfecee89036c06851de72671d6ff5c8d8c96ed2f16312e65fa5c10a8bde6ed06efb7beb598c0a75d486ee5b019921643b848585d747e79cd04a5b82592709d2bfbe64a32b2c3ba31f1efa83999bb9cae176a9b90b4ed30786a777fa2ff663490cb1e273ff7ee933cd6432ff8c032f195535d9b6cb18eed850a3e40936ae4efe7935f9834d398aed3707068bb53e60e15a2e1054f188ee1c9043acbeed3defa95739f66157a10c7c0a752f37f87f7c4ee00a818a1560ffe6e8c0e38d6c1243d1e77bc33288d4132ac7ccee69453c11da128d4a1954096b85d8a60d5bb92509ae94d0a9a23aa08217c462c30ada98233954418c95061276dd8fceb92776d5f38db6fb0359233e75411ff1d725e8c7e13ed29710fa3c55271bc9867e0c372df24e91fd1512003c8d728323884d6fe8bf7528c1307e8af5c84772ef84cd4d4de8dc3e98a92fbf861f289b9e8dd2abd529aae9f04afdd82fb4c504ded877', '{"cause":19}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x8e1eaea85a34a505');
INSERT INTO cxengage.events VALUES (22, 1795666216869, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 3, 'send-begun', '1', '\x01aab8350e567d64e72b6b9e06b90fd7ccd39245cf4a8f102ec6dbc24bf2aaa1517832ac9d5433a8857a6dd83bf7d3c4367ad2ce313b7fcc03293440c2ab54df014c500caef072b91a3219a4c6953d685b3acdbcc3cfcc1f8815c2bcef9a05c8e269cd95bcda3847369a8880f41762d64439b7e05b086ea2eb5dcc71c13294133c64cf07e207b71e8a52ade924b4d2207c56a0a67865c5fec7dd52cd4a5c1b7ff44f899dc05a8d61543ece8ab631844335efb0cb6348a64d7f69913877c95c8cbac2618b97a952444c23f71b4faddf85d3ba3f8610a5c02a4416038abef14cb33448e81b9e754be249d56ae1f4dc797723ae', '{"cause":19}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x8baba2c6b8da661a');
INSERT INTO cxengage.events VALUES (23, 1795666216871, 'acme', 'customer', 'acme/aa99a589de2f36fe1862248eacaaae31', 23, 'customer-event', '1', '\x01a7e25e5c43571628af9d9c0ea87a58e2fb44f9cf39c9d9582090b8b5137b16f613829b61cb77469086933fa289f47badac61218bb7fae3776d2ce40e1c8ab14090206e85cfa6ef88d2730b3974e40bbb59cc77a0fc95c1c67ecc8ff71c7d3c0267175ff91968e0bac0ef973495f2b8f7d00b652f8204a9a72166e5155e27b9f013374376e93bc6cf520ec369a965a4b1ec2ddba28b37dcbe6675be99b728d0000dd38f09dec7ebb77a2b64d390b7cb24efdfd4c594ebf76dd05c8c38baddb377ed993f2c5bb99109baba13a018d369ae84bd16f9dce6c7041a76bb26782f6b6d5f14095f259a874805243ab386f4bf0c', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-12"}', '\xaa99a589de2f36fe1862248eacaaae31', 42, 0, 16, '\xefb199de56dd6618ea49b6a5e6e55727', false, '\x176a21d0d2519808');
INSERT INTO cxengage.events VALUES (24, 1795666216871, 'acme', 'reaction', 'acme/RE62870b422ea2afa621d6b394a274d870', 1, 'match-completed', '1', '\x017c2c9dd7a653ad8a0fdb48ace45dfcedc706f5267106f887d809446da991f98373f02912038c03118b9334673279da0cdc2fed4f541274f2994447c421230721cfb67d5212e136fee298dd413f01852dc85be27843bad879198d05390bf889680e7f8445ea1b7214cfb9270c84123e4ce3087806770cd915b930f5b2a041cef4b14d563e4c20fe8432285ddae786e12568', '{"cause":20}', '\x84338ed85e91739c20907ff6b145f347', 5, NULL, NULL, NULL, false, '\x44fc42d3581392b6');
INSERT INTO cxengage.events VALUES (25, 1795666216873, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 4, 'send-succeeded', '1', '\x01aab8350e567d64e7f5808f8511384f2aeefb8e866bad11e6730763610f11edf1662a73ccbd672d321da75a6b317e7390dd514a3fd2721f79229e1bcb555c238ee9539383cf53ee7cba02aa87406f05f428370e9cf46c977cc8b7346ab6775d6641309b7c37a00642822aecd9e34892bf3c2b003d0cb38868db0f456e067db372d09156e434edac566d0d6db1c99543cda2a5a6ac0a6fcfa79c8218d0510141cfb7806cb80cc12778d539301dad555c43d82e5d817bae33f8cda15b59b42b', '{"cause":22}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\xf776973abf4ce473');
INSERT INTO cxengage.events VALUES (26, 1795666216873, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 5, 'variable-set', '1', '\x01aab8350e567d64e7e836ae9df754e1fcf04dc76f951e800b032a165d86ed3a52d9fd4cfecae6faebe2752210eff9cc3c899a82e1a6e0b65bdd67dc8910015c37f082248ceed17940a0820d3dd7222e65d1e5f24b2982bb2a417e13ddf5c57dcb10ad002185b3bd6c7e453fd2315f1c11abee9bcb531b2816', '{"cause":22}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x26a0a1fb2c9c0c5e');
INSERT INTO cxengage.events VALUES (27, 1795666216873, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 6, 'event-begun', '1', '\x01aab8350e567d64e7f62b5bd3656d3d2c76aa237cac7868bc19152cc1dbde71eaf86d846463fd3821fd6ebeb3b1819a9b210501e2fec079150c297d7e8bf694f2732cd2900a987743d0b8aec84a9e2ad7571e2f22d8bd560b9d9c4711c3d883c652aacd05ff2a722107aba73c76b0d6af0bfa4cceb014cf12aaf458731ec060a2a5c4262075d2f95339518fed4a6bee81f33c40f7', '{"cause":22}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x7f33e896c8c3d67a');
INSERT INTO cxengage.events VALUES (28, 1795666216878, 'acme', 'customer', 'acme/34bbdf359f6e93b7f6087f28fb51f5bd', 28, 'customer-event', '1', '\x01e2c52edbf556794c51cf49a99424b78b67fe2995ae5d15d02b79ac0db378e57ac082b9223ebf283e87394e087500ca29df13fd80050d9b31ea6ae2f54b4d9ca51fb3905a0784559f6e674a12d7cccf0256bf5fcf4f2ad313d4df4d4d82c0697dba9e30edb567ec681f3a5d3fcf36bbed05745b0d0486f5317a76203d1f884ff2e4cb3da707a212eafffdf6bbbc8558a57b47eda0406564918202298c1766e60258da9846af05c795d0e2179fffbe34d3ed67c8159355c6d7d2bf79723889da2dcc51e46265e57ef301294218a17303e549bdfdc7672f8512a7b335043581fbd38c7e8ae08a5e7955c69acbd433a56a370d55fac835', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-13"}', '\x34bbdf359f6e93b7f6087f28fb51f5bd', 61, 0, 16, '\x3d577cbe030735642aba102a1bd07ab1', false, '\xabf5a126bbced65b');
INSERT INTO cxengage.events VALUES (29, 1795666216880, 'acme', 'reaction', 'acme/RE62870b422ea2afa621d6b394a274d870', 2, 'reaction-started', '1', '\x017c2c9dd7a653ad8a6ce8c010f8886c62350afb20aff81a9c49667a5f2e01ffce42eb61e2959e58774b2e836b8ec851e926804ff221767308c870e5599cdf34a29195fadddfb4373667b7f49e32278c8f6339b37901ec041c580ed19abc06dedfbb8051f2d3f875b446b021bbf3439e782f318c87cc570b448ab01b05a1ae39bf4b407aef5ab738150a7fd07e2b5bb2fec141a7673a01c90ccf5fcde9bc2f5803e55f1e51138ef3f15cbdff1acff7a32449ff0ea829db7731a4a827602e3d4636036eab94455b430357b15e2c8074bfd1cf58a2f16430f242717ad89e69b96449c6ab3cfba3f0785793a2ea2c8973bfeaea64fd60fab3569338ced28d10badc8e25ef31993f6408c1ee78a1827ede702b2c6ce208dac60b0953a1fb076df42d8035f86e7c31119103b87ab8ba5a98b93e02a4a666e24c022958800e8f0d1118cad9abcf17de7d7cdfdcb87feb61f90403e23cae92c6f7aa7ea6182ef46e0f7676ee017f605ca692680050bab1323c5c6ec12a416bb8927e4dd78a4e0f1d47dfebe6159891189d4f7a7178', '{"cause":24}', '\x84338ed85e91739c20907ff6b145f347', 5, NULL, NULL, NULL, false, '\x43177d13d4e30a24');
INSERT INTO cxengage.events VALUES (30, 1795666216880, 'acme', 'reaction', 'acme/RE62870b422ea2afa621d6b394a274d870', 3, 'expect-opened', '1', '\x017c2c9dd7a653ad8ac7b0be694354621a4eafe500af4663ac4b92f71edf251cad132172625e20091e4fff5c034b5ac4552a89ea265a64f443427ba71909bcfc6052e9ee6747e51d81edc6ed3c377f0aecf5894f1648afef1af782fe6dec942f4bc1d8b81c920e8f23ebc896567acef21c60b957c9c74460b36513d2577d1e17cb2ea02b51d75a3eab008ea484d37a8610a87326368a039d4e8b2524da5f8035d73650d94c51adb74030f0e025e4a28e8121db67bd167c8da5ce2f2cacc71206fff656f9f0f86f23e96385603e72baea09a0dbd33f4e798fd5aa712444d1d825166d03288d44b3e1967584a2842b50ab0ea33b207015018ba0d24ea080442534', '{"cause":24}', '\x84338ed85e91739c20907ff6b145f347', 5, NULL, NULL, NULL, false, '\xa4a38d7b4921ec13');
INSERT INTO cxengage.events VALUES (31, 1795666216880, 'acme', 'customer', 'acme/62bceb5357106a39fc075ed65b811945', 31, 'customer-event', '1', '\x01aab8350e567d64e7580666b32065d14aa910deb2fbfdeab344ce7b1606f7126de08383ba19a628872983f44dcb0675e6bb8902da01b1873799bd490d0928f3792e8bf1fd9774962785d02779440ed08be19e24552cd75e494fcf736e44c633aa60fa59677df506c0cfaa059b04e892e58d05392a91e01d8933ff1a306c5cd2d3d1500c0fab55473126d04d42cbd4f0bf7fad0b761e1c16402d5eef409d552b634f11d78f5fab168810814604c18582b2450385048d6d309919990bdf5a95d356dac127e96ecb478f7a6fabf020abe2cbf69f7da159b07c7a44e04b26189304f47af83b5baf4667ecc713185d01c054576166caba7955ee35d6b87403694a77e0d42d41d0d90f195c23fabf3f10645b7b51746140b2da07471511', '{"cause":27}', '\x62bceb5357106a39fc075ed65b811945', 52, 18, 16, '\xcffce228b400473f0c250d1c54b088ac', false, '\x69c4a49df5b1efe0');
INSERT INTO cxengage.events VALUES (32, 1795666216880, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 7, 'event-sent', '1', '\x01aab8350e567d64e78d0c47004a2af177f9743ee7a145a51921907ef53432617db9702dd0689c9272a151de051d0d447227fd14af55e3019cee105f552772f537c0be600d273f174751c1c138ac69cf90152c315a37a8843afaee6a289cf9a2730c944d1d5b6c8e3d99b32a378863b2fb94d3ce1585e86ab492124fa0a3d57c031e42119394e32e71f7d7531b4a1b267ffbb3f1fe50b7204d266b100778dbd7d04a2bd0456f', '{"cause":27}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x3a457c919308e256');
INSERT INTO cxengage.events VALUES (33, 1795666216880, 'acme', 'reaction', 'acme/RE1a4eb6193593d4ade2e9baa44429768f', 8, 'reaction-done', '1', '\x01aab8350e567d64e73dd08467414ea12e0957de4a027f087bcd967c98186eae38fcbfd1fafa8233982b6663a6f710b59b9062ea081c4784bbdfc85fd00c20a45c73aab3', '{"cause":27}', '\x62bceb5357106a39fc075ed65b811945', 52, NULL, NULL, NULL, false, '\x7f3c83d914e66418');
INSERT INTO cxengage.events VALUES (34, 1795666216882, 'acme', 'customer', 'acme/62bceb5357106a39fc075ed65b811945', 34, 'customer-event', '1', '\x01aab8350e567d64e785c10864fcd3213e0be4a84bf4a7d62a9f1370f61fd6e3a6bbbf769ead6b3cbd19ad0bc3b169c632c64a5e4cb46d37f6a7197c5916521ae7e6bb93b463a87cf9367a7f1f53d3be09b658e740c9fb0be9f64873ddc00e4a49c430631dddab8598633e7100271e8f4e102f256c20287ca21bdf3b03518689f6abaa01c61f92bbaeaa5d092d0c402dd0d182b0cea6834adbbc8ad779e43110a6dbe1f4e1fcf9e6d67a27891a8ba4cbe37af8', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-14"}', '\x62bceb5357106a39fc075ed65b811945', 52, 31, 16, '\xd35803cb51bb6a6f129dc602923a2ddb', false, '\x6dfaee0de458023b');
INSERT INTO cxengage.events VALUES (35, 1795666216900, 'acme', 'erasure', 'acme/customers', 1, 'customer-erased', '1', '\x7b22637573746f6d6572223a223334626264663335396636653933623766363038376632386662353166356264222c226b6579223a2238383937383630623436616132383233313136613461363434326637323634346663616565653066363737376539313834383164353365343930656531333937227d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-19"}', NULL, NULL, NULL, NULL, NULL, false, '\x4f9a253508b69b93');
INSERT INTO cxengage.events VALUES (36, 1795666216912, 'acme', 'template', 'acme/TM2', 2, 'template-updated', '1', '\x7b2275706461746564223a7b226e616d65223a22696e6e6572222c2274656d706c617465223a226368616e6765642073696e6365227d7d', '{"by":"db757811-34fd-4f4d-9457-1ac49feda2b3","request":"3113df1c-1a"}', NULL, NULL, NULL, NULL, NULL, false, '\x59cbd52a2ac96780');


--
-- Data for Name: format; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.format VALUES (3, 64);


--
-- Data for Name: head; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.head VALUES (true, 36, 1795666216912, '{0,0,0,0,0,20,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,23,0,0,0,0,0,0,0,0,0,34,0,0,0,0,0,0,0,0,28,0,0}');


--
-- Data for Name: idempotency; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.idempotency VALUES (20783, '\xa2d3753bbc99a3c4ee3c33d72707a13a7fbcd0677500fc7a3873e073886e4f90', 34, 1795666216882);


--
-- Data for Name: keys; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.keys VALUES ('', '\x', '\x0175e96c7857a51c025ba7b9d6eabe38311350a97d35766b5fb75104cebe19f020479a5376c14ea7adb35cf63188d5edc3e150829bbdbbd75e452f39b8702cd5931fe0567ec151a499');
INSERT INTO cxengage.keys VALUES ('acme', '\x', '\x011ae8c53f2bb0ea07bc7bfe3124cd9b64a17d5c0b3bd8949281331187c9a206faec588b6d17bd0bfacc7bc9686febffa1e441139220c77abe1991256b59847d1bb4e59293d9ee43a1');
INSERT INTO cxengage.keys VALUES ('acme', '\x62bceb5357106a39fc075ed65b811945', '\x01f59cd209c0302f3ee2a5292686ae26fcfd15adef4a9746ef2092e38539c2455beaf5afcd23e79616e1e4183643100d24be1eda1a896d78eb8d916622aa764d3a4cb7ccdd0229ee95');
INSERT INTO cxengage.keys VALUES ('acme', '\x84338ed85e91739c20907ff6b145f347', '\x01e33ac2b75aba482f6725ee171758a57febf7a15eade4386398d5e55a2038f51db24800279d14462c9f1aff1b5afd39f53565235da35ebf92023ee827f945bdb7a6238441409eefcf');
INSERT INTO cxengage.keys VALUES ('acme', '\xaa99a589de2f36fe1862248eacaaae31', '\x01e0fbf261bf9c3784bab615a402c364abc2ffa3adf26f371ba93a0e67e28c2a585fdbcf0e6f22b34b9a108969229cfa48c571de343341b72e2d6beb2a7556ccd88bd7bebae7c7ddb5');


--
-- Data for Name: leases; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.leases VALUES ('notifier/51', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/33', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/55', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/56', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/57', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/7', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/49', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/53', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/29', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/43', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/14', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/28', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/41', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/32', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/44', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/50', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/45', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/48', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/46', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/10', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/20', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/26', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/25', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/40', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/31', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/62', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/30', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/61', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/58', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/59', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/13', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/34', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/19', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/39', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/8', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/18', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/23', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/22', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/38', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/11', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/4', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/12', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/9', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/36', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/47', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/27', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/37', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/35', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/6', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/63', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/21', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/17', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/3', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/54', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/0', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/15', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/5', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/52', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/60', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/16', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/42', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/24', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/2', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('notifier/1', 1, 'notifier');
INSERT INTO cxengage.leases VALUES ('engine:0/16', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/24', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/32', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/0', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/56', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/40', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/8', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:0/48', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/15', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/23', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/7', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/47', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/63', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/55', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/39', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:7/31', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/26', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/2', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/58', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/50', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/42', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/34', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/18', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:2/10', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('listeners', 1, 'listeners');
INSERT INTO cxengage.leases VALUES ('engine:6/54', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/38', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/22', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/62', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/30', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/6', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/46', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:6/14', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/61', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/53', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/13', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/29', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/37', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/45', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/21', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:5/5', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/12', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/44', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/20', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/28', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/36', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/60', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/4', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:4/52', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/11', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/43', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/27', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/3', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/51', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/59', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/19', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:3/35', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/1', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/41', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/49', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/9', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/17', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/57', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/33', 1, 'engine of process 16092');
INSERT INTO cxengage.leases VALUES ('engine:1/25', 1, 'engine of process 16092');


--
-- Data for Name: pieces; Type: TABLE DATA; Schema: cxengage; Owner: -
--



--
-- Data for Name: place_rows; Type: TABLE DATA; Schema: cxengage; Owner: -
--



--
-- Data for Name: places; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.places VALUES ('listeners', 0);


--
-- Data for Name: store; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.store VALUES ('1661e373-2500-433c-b651-a527964a0a44');


--
-- Data for Name: terms; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.terms VALUES ('notifier', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:0', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:7', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:2', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:1', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:3', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:5', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:6', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('listeners', '7af87a7133ddf205aa9782bad433f143', 1, 0);
INSERT INTO cxengage.terms VALUES ('engine:4', '7af87a7133ddf205aa9782bad433f143', 1, 0);


--
-- Data for Name: workers; Type: TABLE DATA; Schema: cxengage; Owner: -
--

INSERT INTO cxengage.workers VALUES ('engine', '7af87a7133ddf205aa9782bad433f143', 1, '{}');


--
-- Name: errands_id_seq; Type: SEQUENCE SET; Schema: cxengage; Owner: -
--

SELECT pg_catalog.setval('cxengage.errands_id_seq', 1, false);


--
-- Name: configurations configurations_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.configurations
    ADD CONSTRAINT configurations_pkey PRIMARY KEY (tenant);


--
-- Name: erased erased_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.erased
    ADD CONSTRAINT erased_pkey PRIMARY KEY (digest);


--
-- Name: errands errands_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.errands
    ADD CONSTRAINT errands_pkey PRIMARY KEY (id);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("position");


--
-- Name: head head_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.head
    ADD CONSTRAINT head_pkey PRIMARY KEY (id);


--
-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (day, hash);


--
-- Name: keys keys_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (tenant, customer);


--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (lease);


--
-- Name: pieces pieces_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.pieces
    ADD CONSTRAINT pieces_pkey PRIMARY KEY (tenant, file, number);


--
-- Name: place_rows place_rows_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.place_rows
    ADD CONSTRAINT place_rows_pkey PRIMARY KEY (name, key);


--
-- Name: places places_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.places
    ADD CONSTRAINT places_pkey PRIMARY KEY (name);


--
-- Name: terms terms_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.terms
    ADD CONSTRAINT terms_pkey PRIMARY KEY (name);


--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: cxengage; Owner: -
--

ALTER TABLE ONLY cxengage.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (work, server);


--
-- Name: configurations_position; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE INDEX configurations_position ON cxengage.configurations USING btree ("position");


--
-- Name: events_configuring; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE INDEX events_configuring ON cxengage.events USING btree ("position") WHERE configures;


--
-- Name: events_configuring_tenant; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE INDEX events_configuring_tenant ON cxengage.events USING btree (tenant, "position") WHERE configures;


--
-- Name: events_domain; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE INDEX events_domain ON cxengage.events USING btree ("position") WHERE (aggregate_type <> ALL (ARRAY['customer'::text, 'mark'::text]));


--
-- Name: events_stream; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE UNIQUE INDEX events_stream ON cxengage.events USING btree (aggregate_type, aggregate_id, sequence);


--
-- Name: events_tenant; Type: INDEX; Schema: cxengage; Owner: -
--

CREATE INDEX events_tenant ON cxengage.events USING btree (tenant, "position");


--
-- PostgreSQL database dump complete
--


