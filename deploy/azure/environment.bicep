// Where web page, daemon and runs are: a Container Apps environment, its log and its disk.
param name string
param location string
param subnetId string
param isInternal bool
param diskHost string
param diskPath string

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource apps 'Microsoft.App/managedEnvironments@2025-07-01' = {
  name: '${name}-apps'
  location: location
  properties: {
    // Through Azure Monitor: the other way would need the workspace's key.
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
    vnetConfiguration: {
      infrastructureSubnetId: subnetId
      internal: isInternal
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    zoneRedundant: false
  }
}

resource toLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: apps
  properties: {
    workspaceId: logs.id
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

resource disk 'Microsoft.App/managedEnvironments/storages@2025-07-01' = {
  parent: apps
  name: 'warehouse'
  properties: {
    nfsAzureFile: {
      server: diskHost
      shareName: diskPath
      accessMode: 'ReadWrite'
    }
  }
}

// The share belongs to root at first; started once by hand, this gives it to the image's user.
resource owner 'Microsoft.App/jobs@2025-07-01' = {
  name: '${name}-disk-owner'
  location: location
  properties: {
    environmentId: apps.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 120
      replicaRetryLimit: 0
      manualTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
      }
    }
    template: {
      containers: [
        {
          name: 'chown'
          image: 'busybox:1.37.0'
          command: [
            'chown'
            '10001:10001'
            '/data'
          ]
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [
            {
              volumeName: 'disk'
              mountPath: '/data'
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'disk'
          storageType: 'NfsAzureFile'
          storageName: disk.name
        }
      ]
    }
  }
}

output environmentName string = apps.name
output diskName string = disk.name
output domain string = apps.properties.defaultDomain
