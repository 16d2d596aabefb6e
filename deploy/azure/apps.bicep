// Web page and daemon. Runs are jobs that the daemon makes, of the same image, as the same identity.
param name string
param location string
param image string
param webOnInternet bool
param webClientId string
param identityName string
param environmentName string
param diskName string
param accountName string
param vaultName string
param registryName string
param databaseHost string
param databaseName string
param landingDiscovery string
param settings object
param secretSettings object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource host 'Microsoft.App/managedEnvironments@2025-07-01' existing = {
  name: environmentName
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

var storageSuffix = environment().suffixes.storage

// What the graph reads, wherever it is loaded.
var ofGraph = union(settings, {
  AZURE_CLIENT_ID: identity.properties.clientId
  NOVADE_LAKE_URL: 'abfss://lake@${accountName}.dfs.${storageSuffix}/novade'
  NOVADE_LANDING_URL: 'abfss://landing@${accountName}.dfs.${storageSuffix}/'
  NOVADE_LANDING_DISCOVERY: landingDiscovery
  NOVADE_LANDING_QUEUE_URL: 'https://${accountName}.queue.${storageSuffix}/landed'
  NOVADE_WAREHOUSE_PATH: '/data/warehouse.duckdb'
  NOVADE_WEB_URL: 'https://${name}-web.${host.properties.defaultDomain}'
  DAGSTER_PG_HOST: databaseHost
  DAGSTER_PG_DATABASE: databaseName
  DAGSTER_PG_USER: identityName
  DAGSTER_LOGS_ACCOUNT: accountName
})

// What deploy/dagster.azure.yaml reads to start runs.
var ofRuns = {
  RUNS_SUBSCRIPTION_ID: subscription().subscriptionId
  RUNS_RESOURCE_GROUP: resourceGroup().name
  RUNS_REGION: location
  RUNS_ENVIRONMENT_ID: host.id
  RUNS_IDENTITY_ID: identity.id
  RUNS_DISK: diskName
  RUNS_FORWARDED: join(map(items(ofGraph), item => item.key), ',')
  RUNS_SECRETS: string(toObject(items(secretSettings), item => item.key, item => '${vault.properties.vaultUri}secrets/${item.value}'))
  DAGSTER_CURRENT_IMAGE: image
}

var variables = map(items(union(ofGraph, ofRuns)), item => {
  name: item.key
  value: item.value
})
var secretVariables = map(items(secretSettings), item => {
  name: item.key
  secretRef: item.value
})
var secrets = map(items(secretSettings), item => {
  name: item.value
  keyVaultUrl: '${vault.properties.vaultUri}secrets/${item.value}'
  identity: identity.id
})

resource web 'Microsoft.App/containerApps@2025-07-01' = {
  name: '${name}-web'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: host.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        // Beyond the environment: to the virtual network, or to the internet behind a sign-in.
        external: !webOnInternet || !empty(webClientId)
        targetPort: 3000
        transport: 'auto'
        allowInsecure: false
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: secrets
    }
    template: {
      containers: [
        {
          name: 'web'
          image: image
          command: [
            'dagster-webserver'
            '--host'
            '0.0.0.0'
            '--port'
            '3000'
            '--workspace'
            '/app/workspace.yaml'
          ]
          env: concat(variables, secretVariables)
          resources: {
            cpu: json('1')
            memory: '2Gi'
          }
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/server_info'
                port: 3000
              }
              periodSeconds: 10
              failureThreshold: 30
            }
          ]
        }
      ]
      scale: {
        minReplicas: 0
        maxReplicas: 1
      }
    }
  }
}

resource signIn 'Microsoft.App/containerApps/authConfigs@2025-07-01' = if (!empty(webClientId)) {
  parent: web
  name: 'current'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: webClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            webClientId
          ]
        }
      }
    }
  }
}

resource daemon 'Microsoft.App/containerApps@2025-07-01' = {
  name: '${name}-daemon'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: host.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: secrets
    }
    template: {
      containers: [
        {
          name: 'daemon'
          image: image
          command: [
            'dagster-daemon'
            'run'
            '--workspace'
            '/app/workspace.yaml'
          ]
          env: concat(variables, secretVariables)
          resources: {
            cpu: json('1')
            memory: '2Gi'
          }
        }
      ]
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
    }
  }
}
