{#-
    Tables and views are made in place, in one transaction. dbt-duckdb's own materializations make them under another
    name, rename the former ones away and drop them afterwards: three more statements, each with its macros, which took
    two fifths of the time of a build of few rows. Nobody reads the warehouse while it is built: readers have a
    published copy.

    In an incremental build (pipelines/increment.py, docs/incremental.md) a relation may have a step of its own instead.
-#}

{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set step = increment_step(target) -%}
    {% if step is none or is_anew(step) %}
        {%- set then = step.then_anew if step is not none else '' -%}
        {{ return(make_in_place(target, create_table_as(False, target, compiled_code), then)) }}
    {% endif %}
    {{ return(take_step(target, step)) }}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set step = increment_step(target) -%}
    {% if step is none %}
        {{ return(make_in_place(target, create_view_as(target, compiled_code))) }}
    {% endif %}
    {{ return(take_step(target, step)) }}
{% endmaterialization %}

{#-
    Run the `definition` of a relation after dropping the one of its name, then a further statement, and return the
    relation as materializations must.
-#}
{% macro make_in_place(target, definition, then='') %}
    {%- set former = load_cached_relation(target) -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {% if former is not none %} drop {{ former.type }} {{ former }}; {% endif %}
        {{ definition }}
        {{ then }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmacro %}
