# One image for every worker; the command says which.
FROM python:3.13-slim AS build
WORKDIR /src
COPY constraints/run.txt constraints/run.txt
RUN python -m venv /opt/faultstream \
 && /opt/faultstream/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r constraints/run.txt
COPY pyproject.toml README.md LICENSE topology.yaml ./
COPY schemas schemas
COPY pipeline pipeline
RUN /opt/faultstream/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/faultstream /opt/faultstream
RUN useradd --system --create-home --uid 10001 faultstream
USER faultstream
WORKDIR /home/faultstream
# A volume mounted here takes over the owner.
RUN mkdir data
ENV PATH=/opt/faultstream/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["faultstream"]
CMD ["--help"]
